"""Drop-in stand-ins for the calls of other counters: their signatures, figures and printed text.

Each module is named after the tool whose calls it has: ``from netledger.compat import thop``. No
model is run, none is changed, and meta tensors do as inputs.
"""
