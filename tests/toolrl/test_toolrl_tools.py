"""ToolRL's tools as gpt-oss can call them: names for headers, types as schemas, what is required."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.harmony import NAME
from pipeline.toolrl.rows import read_instruction
from pipeline.toolrl.tools import safe_names, schema
from pipeline.toolrl.types import is_optional, schema_of, unknown_words


@given(
    st.lists(
        st.text(max_size=70) | st.sampled_from(["a b", "a.b", "a_b", "a b ", "_"]), max_size=12, unique=True
    )
)
def test_different_names_stay_different_and_can_stand_in_a_header(names):
    found = safe_names(names)
    assert list(found) == names and len(set(found.values())) == len(names)
    for name, safe in found.items():
        assert NAME.fullmatch(safe)
        assert safe == name or not NAME.fullmatch(name)


def test_names_are_as_near_as_can_be():
    assert safe_names(["Get Order", "Get.Order", "Get_Order", ".02do"]) == {
        "Get Order": "Get_Order_2",
        "Get.Order": "Get_Order_3",
        "Get_Order": "Get_Order",
        ".02do": "02do",
    }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("str, optional", {"type": "string"}),
        ("List[Union[int, float]]", {"type": "array", "items": {"type": "number"}}),
        ("List[Dict[str, Any]]", {"type": "array", "items": {"type": "object"}}),
        ("Tuple[float, float]", {"type": "array", "items": {"type": "number"}}),
        (
            "Tuple[str, int, ...]",
            {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
        ),
        ("Callable[[float], float]", {"type": "string"}),
        ("Optional[int]", {"type": "integer", "nullable": True}),
        ("int | None", {"type": "integer", "nullable": True}),
        ("str or List[str]", {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        ("typing.List[bool]", {"type": "array", "items": {"type": "boolean"}}),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}),
        (["string", "null"], {"type": "string", "nullable": True}),
        (["string", "integer"], {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        ("NoneType", {"type": "null"}),
        ("List[Weather]", {"type": "array"}),
        ("Union[Weather, int]", {}),
        ("Weather", {}),
        ("", {}),
        (None, {}),
        (7, {}),
        ("List[" * 10_000, {}),
    ],
)
def test_types_become_schemas(declared, expected):
    assert schema_of(declared) == expected
    if declared and not expected:
        assert unknown_words(declared)


@given(st.text("intsrList[],|Union ()'.", max_size=40))
def test_no_type_raises(declared):
    assert isinstance(schema_of(declared), dict) and isinstance(unknown_words(declared), list)
    assert is_optional(f"{declared}, optional")


def test_required_is_what_pythons_words_do_not_call_optional():
    def required(*types: str, default: str = "") -> list[str]:
        declared = ", ".join(
            f'"p{n}": {{"description": "", "type": "{one}", "default": "{default}"}}'
            for n, one in enumerate(types)
        )
        (tool,) = read_instruction(
            f"**Available Tools**\n1. Name: f\nDescription: d\nParameters: {{{declared}}}"
        ).tools
        return schema(tool, "f")["function"]["parameters"]["required"]

    assert required("str", "int, optional", "List[int]") == ["p0", "p2"]
    assert required("str", default="x") == []
    assert required("string", "int") == []
