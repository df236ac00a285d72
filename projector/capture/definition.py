"""The statements that create the functions of the definition, filled in from the mapping."""

from psycopg import sql

from projector.capture.attributes import types_of_level
from projector.capture.fit import Fit, expansions, relation_rows
from projector.database.sql import definitions, source_columns, texts_of_keys
from projector.report.errors import SourceMissingError

# The quotes around the bodies of functions in sql/definition/.
_BODY_QUOTE = "$definition$"


def definition_texts(fit: Fit, stored_extraction_id: str) -> dict[str, str]:
    """Return the statements by their files, with the platform's tables and the types of its ids.

    `stored_extraction_id` is the type of ids of extractions in the read model, `uuid` or `text`. Raises
    SourceMissingError if a text of the mapping would end the body of a function.
    """
    is_text = fit.types["extraction_id"] == "text"
    keys, kinds = expansions(fit)
    texts = {
        "touched_keys": keys,
        "touching_kinds": kinds,
        **{name: relation_rows(fit, name) for name in source_columns()},
    }
    names = {
        **texts,
        "types_of_leads": types_of_level(fit.relations, "lead"),
        "types_of_conversations": types_of_level(fit.relations, "conversation"),
        "stored_extraction_id": stored_extraction_id,
        "extraction_order": "bytea" if is_text else fit.types["extraction_id"],
        "as_extraction_order": "convert_to(of_id, 'UTF8')" if is_text else "of_id",
        **fit.types,
        **texts_of_keys(),
        **{f"of_{kind}": of for kind, (of, _) in fit.casts().items()},
        **{f"as_{kind}": cast for kind, (_, cast) in fit.casts().items()},
    }
    if any(_BODY_QUOTE in text for text in texts.values()):
        raise SourceMissingError(
            f"No name of the platform, and no text of a mapping, may contain {_BODY_QUOTE}."
        )
    put_in = {name: sql.SQL(text) for name, text in names.items()}
    return {file: sql.SQL(text).format(**put_in).as_string(None) for file, text in definitions().items()}
