"""What an API needs on Lambda: events of API Gateway in and out, logs, metrics, traces.

Only the functions' handlers import it; the command line and the routes know nothing of it. It loads
without numpy.
"""
