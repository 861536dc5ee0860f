"""Tests of L{intermediary.wire}: octets in memory, nothing else."""
