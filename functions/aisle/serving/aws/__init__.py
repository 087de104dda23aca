"""What an API needs on Lambda: API Gateway events in and out, logs, metrics, traces.

Only the Lambda handlers import it; the command line and the routes do not. It loads without numpy.
"""
