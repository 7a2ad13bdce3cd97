"""How long ``import netledger`` takes against ``import numpy``: whole processes, in turn.

Goal: at most 1.5 times numpy, which netledger itself imports. The answer checked first is that
the import brings neither torch nor anything else that is optional.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 21


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratio."""
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, netledger; assert not {'torch', 'pandas'} & set(sys.modules)",
        ],
        check=True,
    )
    times: dict[str, list[float]] = {"pass": [], "import numpy": [], "import netledger": []}
    for _ in range(RUNS):
        for statement, found in times.items():
            found.append(seconds(statement))
    bare, numpy, netledger = (statistics.median(found) for found in times.values())
    print(f"import numpy      {numpy - bare:.3f} s beyond the interpreter's {bare:.3f} s")
    print(f"import netledger  {netledger - bare:.3f} s")
    print(f"ratio of the whole processes {netledger / numpy:.2f}, goal 1.5")
    print(f"ratio beyond the interpreter {(netledger - bare) / (numpy - bare):.2f}")


if __name__ == "__main__":
    main()
