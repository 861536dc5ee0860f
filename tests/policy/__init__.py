"""Tests of L{intermediary.policy}: decisions, without connections."""
