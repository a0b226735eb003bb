"""Identity coefficients: the effect of each, and the shifts of their means by sex and age.

Every coefficient is a standard normal, shifted by `SEX_SHIFT` and `AGE_SHIFT`, clipped to +-`LIMIT`. Lengths are in
head units (1 = 10 cm), given per standard deviation; + and - mark the effects of positive and negative values.
"""

LIMIT = 2.2
"""Largest absolute value of a coefficient; faces beyond it do not look human."""

SHAPE: dict[str, str] = {
    "face_width": "+ wider head and face, 8.5 %",
    "jaw_width": "+ wider from the nose base down, up to 12 %",
    "chin_width": "+ broader chin, 14 %",
    "temple_width": "+ wider forehead and temples, 6.5 %",
    "head_depth": "+ longer back of the head, 5 %",
    "face_flat": "+ flatter front of the face",
    "forehead_height": "+ higher forehead, 0.028",
    "forehead_slope": "+ forehead leaning back, 0.045",
    "crown_height": "+ higher skull, 8.5 %",
    "lower_height": "+ longer lower face, 0.028",
    "cheek_bone": "+ cheek bones standing out, 0.026",
    "cheek_fill": "+ fuller, - hollow cheeks, 0.036",
    "cheek_y": "+ higher cheek bones, 0.04",
    "jaw_lift": "+ lower jaw angle, 0.045",
    "jaw_angle": "+ squarer jaw: its line rises further from the chin",
    "neck_width": "+ thicker neck, 9 %",
    "eye_spacing": "+ eyes further apart, 0.030 each",
    "eye_y": "+ higher eyes, 0.030",
    "eye_width": "+ wider eyes, 0.020",
    "eye_height": "+ upper lid higher, 0.014",
    "eye_tilt": "+ outer corners higher, slope 0.08",
    "eye_depth": "+ deeper sockets, 0.02",
    "eye_bulge": "+ lids bulging over the ball, 0.012",
    "lid_peak": "+ upper lid highest towards the nose",
    "lid_lower": "+ lower lid lower, 0.006",
    "crease": "+ higher and deeper lid crease, 0.009",
    "brow_ridge": "+ stronger bone under the brows, 0.022",
    "brow_y": "+ higher brows, 0.040",
    "brow_arch": "+ more arched brows, 0.03",
    "brow_tilt": "+ brows rising outwards, 0.062",
    "brow_thick": "+ thicker brows, 0.012",
    "brow_length": "+ longer brows, 0.025",
    "brow_gap": "+ brows further apart, 0.033 each",
    "nose_length": "+ longer nose, 0.064",
    "nose_tip": "+ nose standing out further, 0.038",
    "nose_width": "+ wider nostril wings, 0.032 each",
    "nose_bridge": "+ higher and longer bridge, 0.026",
    "nose_bridge_width": "+ broader bridge, 0.013",
    "nose_hump": "+ humped, - hollow bridge, 0.028",
    "nose_turn": "+ tip turned up, 0.024",
    "nose_crook": "nose bent to image-right (+) or -left (-), 0.015",
    "nose_ball": "+ broader tip, 0.022",
    "nostril": "+ wider nostrils, 0.005",
    "philtrum": "+ longer upper lip skin, 0.028",
    "mouth_y": "+ lower mouth, 0.026",
    "mouth_width": "+ wider mouth, 0.038 each side",
    "lip_upper": "+ fuller upper lip, 0.020",
    "lip_lower": "+ fuller lower lip, 0.023",
    "lip_bow": "+ stronger Cupid's bow, 0.008",
    "lip_curve": "+ mouth corners higher, 0.012; the mean face's are 0.022 up, which looks neutral",
    "lip_forward": "+ lips standing out, 30 %",
    "chin_length": "+ longer chin, 0.065",
    "chin_forward": "+ chin standing out, 0.045",
    "chin_cleft": "+ cleft chin, 0.014; none below 0",
    "ear_size": "+ larger ears, 8 %",
    "ear_out": "+ ears standing off, 0.13 rad",
    "eye_asym": "one eye higher than the other, 0.008",
    "mouth_asym": "mouth aslant, 0.006",
    "brow_asym": "one brow higher than the other, 0.010",
}
"""Coefficients of the geometry, in the order of `Identity.shape`."""

APPEARANCE: dict[str, str] = {
    "skin_light": "- lighter, + darker within the skin tone, a quarter of a Monk step",
    "skin_warm": "+ yellower, - pinker skin",
    "redness": "+ redder cheeks and nose",
    "skin_blotch": "+ more uneven skin",
    "freckles": "+ freckles, in skin tones 1 to 5, from 0.7 on",
    "freckle_size": "+ larger freckles",
    "moles": "+ more moles, 1.2 on average, at most 5",
    "bags": "+ darker bags under the eyes",
    "lines_brow": "+ deeper lines on the forehead and between the brows",
    "lines_nose": "+ deeper folds from nose to mouth",
    "lines_eye": "+ deeper lines beside the eyes",
    "lip_tone": "lips' hue under make-up",
    "lip_dark": "+ darker lips",
    "iris_hue": "brown (-) over green to blue (+); always brown from skin tone 5",
    "iris_light": "+ lighter irises",
    "iris_size": "+ larger irises, 0.003",
    "brow_dark": "+ denser brows",
    "lash_dark": "+ darker lashes",
    "hair_dark": "- darker, + lighter hair, 12 %",
    "hair_volume": "+ more hair, 16 %",
    "hairline": "+ higher hairline, 0.045",
    "recession": "+ hair receding at the temples",
    "fringe": "+ deeper fringe, 20 %",
    "parting": "side to which the hair is combed",
    "beard_density": "+ denser beard",
    "beard_extent": "+ beard higher up the cheeks, 0.05",
    "moustache": "+ thicker moustache, 0.008",
    "gloss": "+ shinier skin",
}
"""Coefficients of the looks, in the order of `Identity.appearance`."""

SEX_SHIFT = {
    "jaw_width": 0.45, "chin_width": 0.4, "brow_ridge": 0.6, "brow_thick": 0.5, "brow_y": -0.45, "brow_arch": -0.4,
    "nose_length": 0.2, "nose_width": 0.3, "nose_tip": 0.2, "lip_upper": -0.35, "lip_lower": -0.35, "neck_width": 0.7,
    "eye_height": -0.35, "chin_length": 0.35, "cheek_bone": -0.2, "face_width": 0.2, "jaw_angle": 0.35,
}  # fmt: skip
"""Shift of a shape coefficient's mean per unit of sex, -1 feminine to 1 masculine."""

AGE_SHIFT = {"lip_upper": -0.35, "nose_length": 0.25, "eye_height": -0.25, "ear_size": 0.4, "cheek_fill": -0.3}
"""Shift of a shape coefficient's mean per 25 years above 42."""
