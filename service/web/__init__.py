"""What browsers get, as files, and the prose of the interface's description.

`swagger-ui/` is swagger-ui-dist 5.35.0 as published, with its licences; what lies beside it is playhead's own.
"""
