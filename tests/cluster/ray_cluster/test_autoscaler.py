"""Requests to an autoscaler are withdrawn whatever happens."""

import pytest
import ray.autoscaler.sdk

from synfiqa.cluster.ray_cluster.autoscaler import Bundle, requested

BUNDLES = [Bundle(0.0, 1.0, {"pool": "big"}), Bundle(0.5, 0.0)]


@pytest.fixture
def sent(monkeypatch):
    sent = []
    monkeypatch.setattr(ray.autoscaler.sdk, "request_resources", lambda **request: sent.append(request))
    return sent


def test_a_request_is_withdrawn_after_an_error_too(sent):
    """Ray keeps a request until the next one: nodes without work would stay for good."""
    with pytest.raises(ZeroDivisionError), requested(BUNDLES):
        raise ZeroDivisionError
    assert sent == [
        {"bundles": [{"GPU": 1.0}, {"CPU": 0.5}], "bundle_label_selectors": [{"pool": "big"}, {}]},
        {"bundles": [], "bundle_label_selectors": []},
    ]


def test_without_bundles_nothing_is_requested(sent):
    """An empty request would withdraw that of another job."""
    with requested([]):
        pass
    assert sent == []
