"""Architectures that compare images with captions."""

from synfiqa.actors.model_store.architectures.architecture import Architecture, Contract

IMAGE_TEXT = {
    "small-clip": Architecture(
        "image_text",
        "synfiqa.actors.image_text.small_clip:SmallClip",
        network="synfiqa.actors.image_text.small_clip:small_clip_of",
        contracts=(Contract("rgb", "clip"),),
    ),
    "blip-itc": Architecture(
        "image_text",
        "synfiqa.actors.image_text.blip:BlipImageText",
        rehearsal="synfiqa.actors.image_text.blip:write_random",
        # Caches of the first edition may hold the words of later captions.
        edition=2,
        frozen="synfiqa.actors.image_text.word_pieces:rehearsal_words",
        contracts=(Contract("rgb", "clip", resize="bicubic"),),
    ),
    "open-clip": Architecture(
        "image_text",
        "synfiqa.actors.image_text.open_clip:OpenClipImageText",
        rehearsal="synfiqa.actors.image_text.open_clip:write_random",
        contracts=(Contract("rgb", "clip"), Contract("rgb", "range", (-1.0, 1.0)), Contract("rgb", "imagenet")),
    ),
}
