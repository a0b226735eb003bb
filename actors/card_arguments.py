"""What a card says to the object that plays its role, beside what it says to the network: read and checked."""

from pydantic import ValidationError

from synfiqa.schemas.errors import UserError
from synfiqa.schemas.model_card import CardPart, ModelCard


def arguments_of[Arguments: CardPart](card: ModelCard, kind: type[Arguments]) -> Arguments:
    """Return the arguments of the card in their declared form; UserError names what does not fit, and what would."""
    try:
        return kind.model_validate(card.arguments)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise UserError(
            f"model '{card.name}': arguments do not fit {card.architecture} ({wrong}): "
            f"it takes {', '.join(kind.model_fields)}"
        ) from error
