"""What is trained: networks, what they see, and how they learn from little data. PyTorch.

Each module is imported by its name, `from cnnref.nn import residual`, so that a reader pays for
what is used: `cnnref.nn` itself imports none of them.
"""
