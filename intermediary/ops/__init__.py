# -*- test-case-name: tests.ops -*-
"""
Running it: configuration, command line, service, log.

What an application that embeds the proxy does itself, this layer does for the
C{twistd} and C{twist} commands.  It may import every layer below and none
imports it.
"""
