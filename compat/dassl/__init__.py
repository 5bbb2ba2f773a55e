"""A small engine with the part of Dassl's API that CoOp-style trainers and datasets use.

Modules are named as in Dassl, since trainers import by those names. Nothing here imports from outside this
package but libraries, so that it works under the name `dassl` however it got there.
"""

__version__ = "0.6.3+builtin"
