"""Drives the official SDKs of Alibaba Cloud against a simulator that is being served.

    run.py ADDRESS

ADDRESS is HOST:PORT of `powerform simulator --account tests/interop/account.yaml`. The exit status is 0 only if every
test ran and passed.
"""

import logging
import sys
import unittest

import classic_sdk
import new_sdk


def main() -> int:
    if len(sys.argv) != 2 or ":" not in sys.argv[1]:
        print(__doc__, file=sys.stderr)
        return 2
    # The classic SDK reports every refusal as an error of its own.
    logging.disable(logging.CRITICAL)
    host, port = sys.argv[1].rsplit(":", 1)
    suite = unittest.TestSuite()
    for module in (classic_sdk, new_sdk):
        module.HOST, module.PORT = host, int(port)
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    if suite.countTestCases() == 0:
        print("there are no tests", file=sys.stderr)
        return 1
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
