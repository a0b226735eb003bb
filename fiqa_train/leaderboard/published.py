"""Published pAUC of the field (arXiv and repository tables, as printed), beside which a leaderboard stands.

They were measured on photographs under other recognisers, so that they compare training data among each other and never
a row with one of ours.
"""

from synfiqa.schemas.leaderboard_result import PublishedRow

_MR_FIQA = "MR-FIQA (ICCV 2025), README of its repository"
_MR_PROTOCOL = (
    "leaderboard mode, R 0.3, mean over LFW, CFP-FP, CPLFW, XQLFW, CALFW, AgeDB, Adience and TinyFace; recogniser not "
    "named"
)
_FROQ = "FROQ, table of pAUC under AdaFace"
_FROQ_PROTOCOL = (
    "pAUC, R most likely 0.2, mean over Adience, LFW, CPLFW, CFP-FP, CALFW, AgeDB, XQLFW and IJB-C; AdaFace"
)
_DIFFIQA = "DifFIQA, mean of its tables"
_DIFFIQA_PROTOCOL = "pAUC, R 0.3, mean over 7 test sets and 4 recognisers"


def _mr(name: str, *pauc: float) -> PublishedRow:
    by_fmr = dict(zip(("0.01", "0.001", "0.0001"), pauc, strict=True))
    return PublishedRow(method=f"CR-FIQA on {name}", source=_MR_FIQA, protocol=_MR_PROTOCOL, pauc=by_fmr)


def _at_a_thousandth(source: str, protocol: str, **pauc: float) -> list[PublishedRow]:
    return [
        PublishedRow(method=name.replace("_", "-"), source=source, protocol=protocol, pauc={"0.001": value})
        for name, value in pauc.items()
    ]


PUBLISHED: tuple[PublishedRow, ...] = (
    _mr("CASIA-WebFace (photographs)", 0.719, 0.701, 0.718),
    _mr("DigiFace-1M", 0.764, 0.801, 0.810),
    _mr("DCFace", 0.833, 0.813, 0.819),
    _mr("SFace2", 0.838, 0.837, 0.838),
    _mr("HSFace-10K", 0.894, 0.869, 0.859),
    _mr("IDiff-Face", 0.873, 0.873, 0.846),
    _mr("GANDiffFace", 0.838, 0.830, 0.828),
    _mr("SynFIQA", 0.797, 0.800, 0.787),
    _mr("SynFIQA++", 0.748, 0.730, 0.742),
    _mr("SynFIQA and CASIA-WebFace", 0.715, 0.652, 0.644),
    *_at_a_thousandth(
        _FROQ,
        _FROQ_PROTOCOL,
        SER_FIQ=0.819,
        FaceQAN=0.813,
        GraFIQs=0.829,
        PCNet=0.895,
        SDD_FIQA=0.832,
        LightQNet=0.836,
        eDifFIQA_L=0.758,
        CLIB_FIQA=0.766,
        MagFace=0.824,
        CR_FIQA=0.766,
        FROQ=0.788,
    ),
    *_at_a_thousandth(
        _DIFFIQA,
        _DIFFIQA_PROTOCOL,
        FaceQnet=0.9315,
        SDD_FIQA=0.7483,
        PFE=0.7497,
        PCNet=0.8691,
        MagFace=0.7635,
        LightQNet=0.7412,
        SER_FIQ=0.7292,
        FaceQAN=0.6847,
        CR_FIQA=0.68,
        FaceQgen=0.7954,
        DifFIQA=0.6822,
    ),
)
"""Rows in the order of the page."""
