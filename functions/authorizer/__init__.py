"""The authorizer function: which API key opens what, asked by API Gateway."""
