"""Real processes on this machine: what the demo, the tests and the benchmarks start and watch.

  process    a place for one run: temporary folder, free ports, child processes that end with it
  cluster    kith nodes: their configuration files, start, kill -9, SIGTERM, /status
  balancer   HAProxy and NGINX in front of the nodes, round robin, no affinity
  browser    one person: cookies, redirects, forms
  upstream   an application that tells what reached it
  faults     a TCP proxy that delays, cuts and records
  websocket  the few lines of RFC 6455 that a test needs
  resp       the Redis protocol as a client speaks it
  redis      a real redis-server

Python's standard library only. Network traffic goes to loopback only.
"""
