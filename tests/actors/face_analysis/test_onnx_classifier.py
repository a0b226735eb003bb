"""ONNX classifiers: the input is what the card declares, and every disagreement is an error of one sentence."""

from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from skimage.data import astronaut

from synfiqa.actors.face_analysis.onnx_classifier import OnnxClassifier, OnnxExpression, OnnxGlasses
from synfiqa.actors.face_analysis.onnx_input import face_boxes, network_pixels
from synfiqa.actors.imaging.alignment import ARCFACE_TEMPLATE, align
from synfiqa.actors.imaging.preprocess import network_input
from synfiqa.actors.model_store.execution import Execution
from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import ModelCard

LANDMARKS = np.array([[[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]]])
PHOTO = astronaut()
ALIGNED = align([PHOTO], LANDMARKS)
NOISE = np.random.default_rng(5).integers(0, 256, (9, 112, 112, 3), np.uint8)
SIDE = 16


def card(*, role="glasses", size=SIDE, channels="rgb", value_range=(0.0, 1.0), normalise="range", **arguments):
    return ModelCard(
        name="tiny",
        role=role,
        architecture=f"onnx-{role}",
        arguments={"classes": ["none", "glasses"], "softmax": True} | arguments,
        source="random:0",
        input_size=size,
        channels=channels,
        value_range=value_range,
        normalise=normalise,
        output="logits",
        licence="MIT",
        commercial_use=True,
    )


def save(path, nodes, weights, shape, outputs=2, **options):
    initializers = [numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [shape[0], outputs])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, **options)
    return path


def linear(path, *, channels=3, layout="nchw", batch="n", side=SIDE, outputs=2, gain=1.0, bias=0.0, **options):
    """Logits are weighted sums of the channels' means; output 1 depends most on the first channel."""
    weights = np.linspace(-1, 1, channels * outputs).reshape(channels, outputs) * gain
    weights[0, -1] += 2 * gain
    axes = [2, 3] if layout == "nchw" else [1, 2]
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["out"]),
    ]
    shape = [batch, channels, side, side] if layout == "nchw" else [batch, side, side, channels]
    return save(path, nodes, {"weights": weights, "bias": np.full(outputs, bias)}, shape, outputs, **options), weights


def passing_means(path, channels=3, **options):
    """Probability-like outputs: the mean of each channel."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["out"], axes=[2, 3], keepdims=0)]
    return save(path, nodes, {}, ["n", channels, SIDE, SIDE], channels, **options)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def on(aligned):
    return SimpleNamespace(
        images=list(aligned), landmarks=np.full((len(aligned), 5, 2), np.nan), aligned=aligned
    ).__dict__


class TestNetworkInput:
    def test_channels_range_and_size_are_the_cards(self, tmp_path):
        path = passing_means(tmp_path / "means.onnx")
        for channels, order in (("rgb", [0, 1, 2]), ("bgr", [2, 1, 0])):
            model = OnnxClassifier(card(channels=channels, softmax=False, classes=["a", "b", "c"]), path)
            expected = ALIGNED[0].reshape(-1, 3).mean(axis=0)[order] / 255
            np.testing.assert_allclose(model.probabilities(**on(ALIGNED))[0], expected, atol=2e-3)

    @pytest.mark.parametrize("layout", ["nchw", "nhwc"])
    @pytest.mark.parametrize("value_range", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
    def test_logits_in_either_layout(self, tmp_path, layout, value_range):
        path, weights = linear(tmp_path / "linear.onnx", layout=layout, gain=1 / value_range[1])
        described = card(layout=layout, value_range=value_range)
        expected = softmax(network_input(NOISE, described).numpy().mean(axis=(2, 3)) @ weights)
        found = OnnxClassifier(described, path).probabilities(**on(NOISE))
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)

    @pytest.mark.parametrize("normalise", ["clip", "imagenet"])
    def test_standardised_colour(self, tmp_path, normalise):
        path, weights = linear(tmp_path / "linear.onnx")
        described = card(normalise=normalise, value_range=None)
        expected = softmax(network_input(ALIGNED, described).numpy().mean(axis=(2, 3)) @ weights)
        np.testing.assert_allclose(OnnxClassifier(described, path).probabilities(**on(ALIGNED)), expected, atol=1e-5)

    def test_grey_has_one_channel_of_any_size_and_range(self):
        grey = network_pixels(ALIGNED, card(channels="gray", size=64, value_range=(0.0, 255.0)))
        assert grey.shape == (1, 1, 64, 64)
        luma = ALIGNED[0].reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114]
        assert grey.mean() == pytest.approx(luma, abs=0.5)
        standardised = network_pixels(ALIGNED, card(channels="gray", size=64, normalise="per-image", value_range=None))
        assert (standardised.mean(), standardised.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-3))

    def test_grey_models_run(self, tmp_path):
        path = passing_means(tmp_path / "grey.onnx", channels=1)
        found = OnnxClassifier(card(channels="gray", classes=["glasses"], softmax=False), path)
        luma = ALIGNED[0].reshape(-1, 3).mean(axis=0) @ [0.299, 0.587, 0.114] / 255
        assert found.probabilities(**on(ALIGNED))[0, 0] == pytest.approx(luma, abs=2e-3)

    def test_half_precision_files(self, tmp_path):
        graph = helper.make_graph(
            [helper.make_node("ReduceMean", ["image"], ["out"], axes=[2, 3], keepdims=0)],
            "half",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT16, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT16, ["n", 3])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / "half.onnx")
        found = OnnxClassifier(card(softmax=False, classes=["a", "b", "c"]), tmp_path / "half.onnx")
        expected = ALIGNED[0].reshape(-1, 3).mean(axis=0) / 255
        np.testing.assert_allclose(found.probabilities(**on(ALIGNED))[0], expected, atol=5e-3)


class TestFaceBoxes:
    def test_an_upright_template_is_its_own_box(self):
        (box,) = face_boxes(NOISE[:1], ARCFACE_TEMPLATE[None])
        np.testing.assert_array_equal(box, NOISE[0])

    def test_a_turned_face_keeps_its_middle_and_size_but_is_not_turned(self):
        # A quarter turn of the template about its middle leaves the box where it is.
        turned = (ARCFACE_TEMPLATE - 55.5)[:, ::-1] * [1, -1] + 55.5
        (box,) = face_boxes(NOISE[:1], turned[None])
        np.testing.assert_array_equal(box, NOISE[0])

    def test_margin_and_black_outside(self):
        (box,) = face_boxes(NOISE[:1], ARCFACE_TEMPLATE[None], margin=0.5)
        assert box.shape == (168, 168, 3)
        np.testing.assert_array_equal(box[28:140, 28:140], NOISE[0])
        assert box.sum() == NOISE[0].sum()

    def test_a_face_wholly_outside_is_black(self):
        (box,) = face_boxes([NOISE[0]], ARCFACE_TEMPLATE[None] - 500)
        assert box.shape == (112, 112, 3)
        assert not box.any()

    def test_landmarks_that_span_far_more_than_the_image_are_refused(self):
        with pytest.raises(ValueError, match="larger than its image"):
            list(face_boxes([NOISE[0]], ARCFACE_TEMPLATE[None] * 1000))

    def test_without_a_face_the_whole_image_is_taken(self):
        first, second = face_boxes([PHOTO, NOISE[0]], np.stack([np.full((5, 2), np.nan), ARCFACE_TEMPLATE]))
        assert first is PHOTO
        np.testing.assert_array_equal(second, NOISE[0])

    def test_classifiers_can_use_boxes(self, tmp_path):
        path = passing_means(tmp_path / "means.onnx")
        model = OnnxClassifier(card(softmax=False, classes=["a", "b", "c"], crop="box"), path)
        (box,) = face_boxes([PHOTO], LANDMARKS)
        found = model.probabilities([PHOTO], LANDMARKS, np.zeros((1, 112, 112, 3), np.uint8))
        np.testing.assert_allclose(found[0], box.reshape(-1, 3).mean(axis=0) / 255, atol=5e-3)


class TestBatches:
    @pytest.mark.parametrize("batch", ["n", 1, 4])
    def test_a_result_does_not_depend_on_its_batch(self, tmp_path, batch):
        path, _ = linear(tmp_path / "linear.onnx", batch=batch)
        model = OnnxClassifier(card(), path, Execution(micro_batch=4))
        together = model.probabilities(**on(NOISE))
        alone = np.concatenate([model.probabilities(**on(NOISE[index : index + 1])) for index in range(len(NOISE))])
        np.testing.assert_array_equal(together, alone)
        assert together.std(axis=0).min() > 0


class TestDevice:
    def test_a_gpu_changes_nothing_even_with_a_provider_for_it(self, tmp_path, monkeypatch):
        everywhere = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: everywhere)
        asked = []
        whole = onnxruntime.InferenceSession
        monkeypatch.setattr(
            "onnxruntime.InferenceSession",
            lambda *arguments, providers: asked.append(providers) or whole(*arguments, providers=providers),
        )
        path, _ = linear(tmp_path / "linear.onnx")
        for device in ("cpu", "cuda"):
            OnnxClassifier(card(), path, Execution(device=device))
        assert asked == [["CPUExecutionProvider"]] * 2


class TestRoles:
    def test_glasses_are_the_class_of_that_name(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx", outputs=3)
        everything = OnnxClassifier(card(classes=["a", "b", "c"]), path).probabilities(**on(NOISE))
        model = OnnxGlasses(card(classes=["none", "glasses", "hat"]), path)
        np.testing.assert_array_equal(model.score(**on(NOISE)), everything[:, 1])

    def test_classes_of_one_name_add_up(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx", outputs=3)
        everything = OnnxClassifier(card(classes=["a", "b", "c"]), path).probabilities(**on(NOISE))
        model = OnnxGlasses(card(classes=["none", "glasses", "glasses"]), path)
        np.testing.assert_allclose(model.score(**on(NOISE)), everything[:, 1:].sum(axis=1), atol=1e-6)

    def test_expression_is_what_is_not_neutral(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx", outputs=3)
        names = ["angry", "neutral", "happy"]
        everything = OnnxClassifier(card(classes=names), path).probabilities(**on(NOISE))
        model = OnnxExpression(card(role="expression", classes=names), path)
        found = model.strength(**on(NOISE), commanded=[{"expression": 1.0}] * len(NOISE))
        np.testing.assert_allclose(found, 1 - everything[:, 1], atol=1e-6)

    def test_one_logit_is_a_sigmoid(self, tmp_path):
        path, weights = linear(tmp_path / "linear.onnx", outputs=1)
        described = card(classes=["glasses"])
        logits = network_input(NOISE, described).numpy().mean(axis=(2, 3)) @ weights
        np.testing.assert_allclose(
            OnnxGlasses(described, path).score(**on(NOISE)), 1 / (1 + np.exp(-logits[:, 0])), atol=1e-5
        )

    @pytest.mark.parametrize(("kind", "wanted"), [(OnnxGlasses, "glasses"), (OnnxExpression, "neutral")])
    def test_a_model_without_the_class_of_its_role_is_refused(self, tmp_path, kind, wanted):
        path, _ = linear(tmp_path / "linear.onnx")
        with pytest.raises(UserError, match=f"role needs '{wanted}'"):
            kind(card(classes=["yes", "no"]), path)


def refused(path, described=None, match=None):
    with pytest.raises(UserError, match=match) as info:
        OnnxClassifier(described or card(), path)
    sentence = str(info.value)
    assert "'tiny'" in sentence
    assert "\n" not in sentence
    return sentence


class TestDisagreements:
    @pytest.fixture
    def path(self, tmp_path):
        return linear(tmp_path / "linear.onnx")[0]

    def test_wrong_number_of_classes(self, path):
        refused(path, card(classes=["a", "glasses", "c"]), "2 outputs but its card names 3 classes")

    @pytest.mark.parametrize(
        "wrong", [{"size": 32}, {"channels": "gray"}, {"layout": "nhwc"}], ids=["size", "channels", "layout"]
    )
    def test_wrong_input_shape(self, path, wrong):
        refused(path, card(**wrong), r"takes nx3x16x16 but its card declares Nx")

    def test_a_wrong_shape_that_only_inference_shows(self, tmp_path):
        nodes = [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["out"]),
        ]
        path = save(tmp_path / "open.onnx", nodes, {"weights": np.ones((3 * SIDE * SIDE, 2))}, ["n", "c", "h", "w"])
        assert OnnxClassifier(card(), path).probabilities(**on(NOISE)).shape == (9, 2)
        refused(path, card(size=24), r"fails on its card's input \d+x3x24x24")

    def test_logits_taken_for_probabilities(self, tmp_path):
        refused(linear(tmp_path / "a.onnx", gain=9)[0], card(softmax=False), "set arguments.softmax to true")

    def test_probabilities_taken_for_logits(self, tmp_path):
        nodes = [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Softmax", ["mean"], ["out"], axis=1),
        ]
        path = save(tmp_path / "a.onnx", nodes, {}, ["n", 3, SIDE, SIDE], 3)
        refused(path, card(classes=["a", "b", "c"]), "set arguments.softmax to false")

    def test_outputs_that_are_not_finite(self, tmp_path):
        nodes = [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("Log", ["mean"], ["out"]),
        ]
        path = save(tmp_path / "a.onnx", nodes, {}, ["n", 3, SIDE, SIDE], 3)
        refused(path, card(classes=["a", "b", "c"], value_range=(-9.0, 1.0)), "not finite: correct value_range")
        model = OnnxClassifier(card(classes=["a", "b", "c"]), path)
        with pytest.raises(ValueError, match="not finite"):
            model.probabilities(**on(np.zeros((1, 112, 112, 3), np.uint8)))

    @pytest.mark.parametrize(
        "arguments",
        [{"softmax": None}, {"classes": []}, {"layout": "hwc"}, {"crop": "centre"}, {"softmx": True}],
        ids=str,
    )
    def test_invalid_arguments(self, path, arguments):
        refused(path, card(**arguments), "arguments do not fit onnx-glasses")

    @pytest.mark.parametrize("normalise", ["clip", "imagenet"])
    def test_unsupported_normalisation(self, path, normalise):
        assert "normalise" in refused(path, card(normalise=normalise, channels="gray"))

    def test_more_than_one_input(self, tmp_path):
        images = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("image", "age", "out")]
        graph = helper.make_graph([helper.make_node("Add", ["image", "age"], ["out"])], "two", images[:2], images[2:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / "two.onnx")
        refused(tmp_path / "two.onnx", match="one float image, not image .* age")


def hiding(content):
    """The model with every location entry given another key first: key="x", key="location"."""
    model = onnx.ModelProto.FromString(content)
    # No writer repeats a field: the two keys take the place of one that is as long.
    place = "P" * 11
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.key = place
    return model.SerializeToString().replace(b"\x0a\x0b" + place.encode(), b"\x0a\x01x\x0a\x08location")


class TestFiles:
    def test_truncated(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx")
        whole = path.read_bytes()
        for count in (0, 1, 10, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:count])
            refused(path, match="no whole ONNX model|no working ONNX model")

    def test_altered_bytes_give_a_model_or_the_error(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx")
        whole, random = path.read_bytes(), np.random.default_rng(3)
        for _ in range(60):
            data = bytearray(whole)
            for position in random.integers(0, len(data), 3):
                data[position] = random.integers(256)
            path.write_bytes(bytes(data))
            try:
                OnnxClassifier(card(), path)
            except UserError as error:
                assert "'tiny'" in str(error)  # noqa: PT017 - either outcome is right

    @pytest.mark.parametrize("content", [b"not a model", b"PK\x03\x04" + bytes(100), b"ORTM" * 50, b"{}"])
    def test_other_files(self, tmp_path, content):
        path = tmp_path / "a.onnx"
        path.write_bytes(content)
        refused(path, match="no whole ONNX model")

    def test_missing(self, tmp_path):
        refused(tmp_path / "absent.onnx", match="cannot be read")

    @pytest.mark.parametrize("domain", ["", "of.a.plugin"])
    def test_unknown_operators(self, tmp_path, domain):
        graph = helper.make_graph(
            [helper.make_node("FoldSpace", ["image"], ["out"], domain=domain)],
            "tiny",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 2])],
        )
        opsets = [helper.make_opsetid("", 17), *([helper.make_opsetid(domain, 1)] if domain else [])]
        # The library's message begins with the path: in a deep folder the cause was once cut off.
        folder = tmp_path / ("deep" * 40)
        folder.mkdir()
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "a.onnx")
        told = refused(folder / "a.onnx", match="operators that onnxruntime .* does not support .*FoldSpace")
        assert "deep" not in told

    def external(self, folder, location):
        folder.mkdir()
        path, weights = linear(
            folder / "model.onnx",
            save_as_external_data=True,
            location="weights.bin",
            size_threshold=0,
            convert_attribute=True,
        )
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        path.write_bytes(model.SerializeToString())
        return path, weights

    def test_weights_beside_the_model_come_with_its_folder(self, tmp_path):
        path, weights = self.external(tmp_path / "model", "weights.bin")
        expected = softmax(network_input(NOISE, card()).numpy().mean(axis=(2, 3)) @ weights)
        found = OnnxClassifier(card(), path.parent).probabilities(**on(NOISE))
        np.testing.assert_allclose(found, expected, atol=1e-5)

    def test_weights_that_no_digest_covers_are_refused(self, tmp_path):
        path, _ = self.external(tmp_path / "model", "weights.bin")
        refused(path, match=r"another file \(weights.bin\), which no digest covers")

    @pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "sub/../../secret.bin"])
    def test_weights_outside_of_the_folder_are_refused(self, tmp_path, location):
        (tmp_path / "secret.bin").write_bytes(bytes(64))
        path, _ = self.external(tmp_path / "model", location)
        refused(path.parent, match="outside of its folder")

    def test_a_link_out_of_the_folder_is_refused(self, tmp_path):
        (tmp_path / "secret.bin").write_bytes(bytes(64))
        path, _ = self.external(tmp_path / "model", "link.bin")
        (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
        refused(path.parent, match="outside of its folder")

    def test_missing_weights(self, tmp_path):
        path, _ = self.external(tmp_path / "model", "absent.bin")
        refused(path.parent, match="absent.bin, which is missing")

    def test_external_data_hidden_in_a_node_is_found(self, tmp_path):
        value = numpy_helper.from_array(np.ones((3, 2), np.float32), "hidden")
        value.ClearField("raw_data")
        value.data_location = TensorProto.EXTERNAL
        value.external_data.add(key="location", value="../secret.bin")
        nodes = [
            helper.make_node("Constant", [], ["weights"], value=value),
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["out"]),
        ]
        path = save(tmp_path / "a.onnx", nodes, {}, ["n", 3, SIDE, SIDE])
        refused(path, match="secret.bin")

    def test_an_entry_whose_last_key_is_location_counts(self, tmp_path):
        # Parsers take the last of two equal fields: a first, harmless key must not hide the second.
        path, _ = self.external(tmp_path / "model", "../secret.bin")
        (tmp_path / "secret.bin").write_bytes(bytes(64))
        path.write_bytes(hiding(path.read_bytes()))
        found = onnx.load(path, load_external_data=False).graph.initializer[0].external_data
        assert {"location": "../secret.bin"}.items() <= {entry.key: entry.value for entry in found}.items()
        refused(path.parent, match=r"names '\.\./secret\.bin', outside of its folder")
        refused(path, match="which no digest covers")

    def test_every_occurrence_of_a_graph_is_searched(self, tmp_path):
        path, _ = self.external(tmp_path / "model", "../secret.bin")
        content = path.read_bytes()
        clean, _ = linear(tmp_path / "clean.onnx")
        # Two models in a row are one to a parser, its graphs merged.
        for merged in (content + clean.read_bytes(), clean.read_bytes() + content):
            path.write_bytes(merged)
            refused(path.parent, match="outside of its folder")

    def test_a_field_number_of_more_bits_than_parsers_read_is_refused(self, tmp_path):
        path, _ = linear(tmp_path / "linear.onnx")
        (tmp_path / "linear.onnx").write_bytes(path.read_bytes() + b"\xba\x80\x80\x80\x10\x00")
        refused(path, match="overlong field number")

    def test_a_location_with_a_zero_byte_is_refused(self, tmp_path):
        path, _ = self.external(tmp_path / "model", "weights.bin\0x")
        refused(path.parent, match="outside of its folder")

    def test_a_folder_must_hold_one_model(self, tmp_path):
        refused(tmp_path, match="must hold one .onnx file, not none")
        linear(tmp_path / "a.onnx")
        linear(tmp_path / "b.onnx")
        refused(tmp_path, match=r"not a\.onnx, b\.onnx")
