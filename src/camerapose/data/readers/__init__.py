"""Readers for file formats that data sets are distributed in."""
