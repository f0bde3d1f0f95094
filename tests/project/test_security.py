"""What docs/security.md says of how Rasa is used."""

from __future__ import annotations

import yaml

from bot.settings import ROOT

#: Parts of Rasa that are models of TensorFlow.
NEURAL = ("DIET", "TED", "ResponseSelector", "LanguageModelFeaturizer", "UnexpecTED")


def test_rasa_speaks_rest_only_and_no_neural_model_is_in_the_pipeline() -> None:
    channels = yaml.safe_load((ROOT / "credentials.yml").read_text())
    assert set(channels) == {"bot.nlu.rest.WordlessRest"}, "Rasa's own, with logs that hold no words"
    config = yaml.safe_load((ROOT / "config.yml").read_text())
    names = [part["name"] for part in [*config["pipeline"], *config["policies"]]]
    assert len(names) > 5 and not [name for name in names if name.startswith(NEURAL)]
