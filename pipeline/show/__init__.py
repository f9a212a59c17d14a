"""Figures and the report: pure functions of data."""
