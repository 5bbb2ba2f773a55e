"""Dassl's backbones and network parts, which this engine leaves out."""

from ..missing import MissingPartError

raise MissingPartError("dassl.modeling (backbones, heads, network operations)")
