"""Stand-ins: small real servers that speak the language of services the tests must not reach."""
