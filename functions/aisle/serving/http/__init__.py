"""What all APIs share: problem details, body limits, access by API key, settings, docs.

Code for a single route, or for Lambda, does not belong here. It loads without numpy.
"""
