"""Lifters: each file is one, named like the file; `_base` holds shared layers.

A lifter is a class `Lifter(skeleton, **arguments)`, a torch module from a 2D pose (n, joints, 2) to
the root-relative 3D pose (n, joints, 3) in metres whose root is exactly zero.
"""
