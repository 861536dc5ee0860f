# -*- test-case-name: tests.ops -*-
"""Tests of L{intermediary.ops}."""
