"""Lifters: a file is a lifter, and its name the lifter's name.

Each holds a class `Lifter(skeleton, **settings)`, a torch module from a 2D pose (n, joints, 2) to
the root-relative 3D pose (n, joints, 3) in metres with the root at exactly zero.
"""
