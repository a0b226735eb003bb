"""Requests to an autoscaler are withdrawn whatever happens, and none are made where none runs."""

import pytest
import ray.autoscaler.sdk

from synfiqa.cluster.ray_cluster import autoscaler
from synfiqa.cluster.ray_cluster.autoscaler import Bundle, requested

BUNDLES = [Bundle(0.0, 1.0, {"pool": "big"}), Bundle(0.5, 0.0)]


@pytest.fixture
def sent(monkeypatch):
    sent = []
    monkeypatch.setattr(ray.autoscaler.sdk, "request_resources", lambda **request: sent.append(request))
    monkeypatch.setattr(autoscaler, "growth_limits", lambda: (8.0, 2.0))
    return sent


def test_a_request_is_withdrawn_after_an_error_too(sent):
    """Ray keeps a request until the next one: nodes without work would stay for good."""
    with pytest.raises(ZeroDivisionError), requested(BUNDLES):
        raise ZeroDivisionError
    assert sent == [
        {"bundles": [{"GPU": 1.0}, {"CPU": 0.5}], "bundle_label_selectors": [{"pool": "big"}, {}]},
        {"bundles": [], "bundle_label_selectors": []},
    ]


def test_without_an_autoscaler_nothing_is_requested(sent, monkeypatch):
    monkeypatch.setattr(autoscaler, "growth_limits", lambda: None)
    with requested(BUNDLES):
        pass
    assert sent == []
