# -*- test-case-name: tests.test_benchmarks -*-
"""
Compares L{intermediary} with nginx, HAProxy and Squid on this machine.

C{python -m benchmarks} runs everything; C{docs/benchmarks.md} says how to read
what it prints.  Nothing here is imported by the product, and nothing here
leaves the loopback interface.
"""
