"""What the tests need before they run: encoders, postcodes and the trained model, from the cache if there."""

from __future__ import annotations

import sys

from bot.areas.build import ensure_table
from bot.cache import cache_dir
from bot.nlu.encoder_build import build_base
from bot.operate.model import TrainingFailed, train
from bot.risk.statistical_layer import build_risk_encoder


def main() -> int:
    """Make what is missing. Returns the exit status."""
    build_base(cache_dir(), lambda step: print(step, flush=True))  # noqa: T201
    build_risk_encoder(cache_dir(), lambda step: print(step, flush=True))  # noqa: T201
    ensure_table()
    print("Rasa model …", flush=True)  # noqa: T201
    try:
        train()
    except TrainingFailed as error:
        print(error.output, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
