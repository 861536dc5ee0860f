# -*- test-case-name: tests -*-
"""The tests of L{intermediary}, by trial; the tree mirrors the package."""
