"""Payment gateways, a folder each, behind the one port of `port.py`.

A folder's `wire.py` is pure (builds, signs, verifies, reads); its `provider.py` adds the calls.
`registry.py` is the only list of kinds. Every kind passes the same contract suite.
"""
