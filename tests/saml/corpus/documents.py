"""Documents that contain more than SAML needs, or that are not XML."""

from __future__ import annotations

from lockstep.saml.faults import FaultCode
from tests.saml.corpus.building import (
    NAME_ID,
    case,
    replaced,
    sub,
)
from tests.saml.forging import (
    find,
    response,
    signed_after,
)

# Comments, instructions, document types

case(
    "comment in the Name ID",
    FaultCode.COMMENT_IN_VALUE,
    replaced(b"lee.wong@contoso.com</saml:NameID>", b"lee.wong@contoso.com<!---->.evil.example</saml:NameID>"),
)
case(
    "comment at the end of the Name ID",
    FaultCode.COMMENT_IN_VALUE,
    replaced(b"lee.wong@contoso.com</saml:NameID>", b"lee.wong@contoso.com<!-- x --></saml:NameID>"),
)
case("comment in an attribute value", FaultCode.COMMENT_IN_VALUE, replaced(b"Sales<", b"Sa<!-- x -->les<"))
case(
    "comment in the audience", FaultCode.COMMENT_IN_VALUE, replaced(b"</saml:Audience>", b"<!-- x --></saml:Audience>")
)
case(
    "30,000 comments in one value",
    FaultCode.COMMENT_IN_VALUE,
    replaced(b">Sales<", b">" + b"<!---->" * 30_000 + b"Sales<"),
)
case(
    "processing instruction in the Name ID",
    FaultCode.INSTRUCTION_REFUSED,
    replaced(b"lee.wong@contoso.com</saml:NameID>", b"lee.wong@contoso.com<?x y?>.evil.example</saml:NameID>"),
)
case(
    "processing instruction before the root",
    FaultCode.INSTRUCTION_REFUSED,
    lambda: b"<?xml-stylesheet href='x'?>" + response(),
)
case("processing instruction after the root", FaultCode.INSTRUCTION_REFUSED, lambda: response() + b"<?x y?>")
case("document type", FaultCode.DTD_REFUSED, lambda: b"<!DOCTYPE Response>" + response())
case(
    "entity",
    FaultCode.DTD_REFUSED,
    lambda: b"<!DOCTYPE r [<!ENTITY x 'admin'>]>" + replaced(b">lee.wong@", b">&x;@")(),
)
case(
    "external entity",
    FaultCode.DTD_REFUSED,
    lambda: b"<!DOCTYPE r [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + replaced(b">lee.wong@", b">&x;@")(),
)
case(
    "external document type",
    FaultCode.DTD_REFUSED,
    lambda: b"<!DOCTYPE r SYSTEM 'http://127.0.0.1:9/x.dtd'>" + response(),
)
case(
    "entities within entities",
    FaultCode.DTD_REFUSED,
    lambda: b"<!DOCTYPE r [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>" + response(),
)
case(
    "ID declared by a document type",
    FaultCode.DTD_REFUSED,
    lambda: b"<!DOCTYPE r [<!ATTLIST x y ID #IMPLIED>]>" + response(),
)
case(
    "entity declared without a document type",
    FaultCode.DTD_REFUSED,
    replaced(b"<samlp:Status>", b"<!ENTITY x 'admin'><samlp:Status>"),
)
case("entity that is not declared", FaultCode.MALFORMED, replaced(b">lee.wong@", b">&x;@"))
case(
    "XInclude",
    FaultCode.INCLUDE_REFUSED,
    lambda: signed_after(
        lambda root: sub(
            find(root, NAME_ID), "http://www.w3.org/2001/XInclude", "include", href="file:///etc/passwd", parse="text"
        )
    ),
)

# Encodings, sizes, and what is no XML

case("UTF-16", FaultCode.ENCODING_REFUSED, lambda: response().decode().encode("utf-16"))
case(
    "UTF-16 that is declared",
    FaultCode.ENCODING_REFUSED,
    lambda: ("<?xml version='1.0' encoding='UTF-16'?>" + response().decode()).encode("utf-16"),
)
case(
    "UTF-7 that is declared", FaultCode.ENCODING_REFUSED, lambda: b"<?xml version='1.0' encoding='UTF-7'?>" + response()
)
case(
    "Latin-1 that is declared",
    FaultCode.ENCODING_REFUSED,
    lambda: b'<?xml version="1.0" encoding="ISO-8859-1"?>' + response(),
)
case("bytes that are not UTF-8", FaultCode.ENCODING_REFUSED, replaced(b">Sales<", b">Sal\xe9s<"))
case("byte order mark", FaultCode.ENCODING_REFUSED, lambda: b"\xef\xbb\xbf" + response())
case(
    "NUL in the Name ID",
    FaultCode.ENCODING_REFUSED,
    replaced(b"lee.wong@contoso.com</saml:NameID>", b"lee.wong@contoso.com\x00</saml:NameID>"),
)
case(
    "NUL as a character reference",
    FaultCode.MALFORMED,
    replaced(b"lee.wong@contoso.com</saml:NameID>", b"lee.wong@contoso.com&#0;</saml:NameID>"),
)
case("1 MB", FaultCode.TOO_LARGE, lambda: response() + b" " * 1_000_000)
case("1 MB in one value", FaultCode.TOO_LARGE, replaced(b">Sales<", b">" + b"x" * 1_000_000 + b"<"))
case(
    "20,000 attributes",
    FaultCode.TOO_LARGE,
    replaced(b"<samlp:Status>", b"<samlp:Status " + b" ".join(b'a%d=""' % at for at in range(20_000)) + b">"),
)
case(
    "10,000 namespaces",
    FaultCode.TOO_LARGE,
    replaced(b"<samlp:Status>", b"<samlp:Status " + b" ".join(b'xmlns:a%d="u"' % at for at in range(10_000)) + b">"),
)
case(
    "depth 10,000",
    FaultCode.TOO_DEEP,
    replaced(b"<samlp:Status>", b"<samlp:Status>" + b"<a>" * 10_000 + b"</a>" * 10_000),
)
case("depth 100", FaultCode.TOO_DEEP, replaced(b"<samlp:Status>", b"<samlp:Status>" + b"<a>" * 100 + b"</a>" * 100))
case("nothing", FaultCode.MALFORMED, lambda: b"")
case("cut off", FaultCode.MALFORMED, lambda: response()[:-20])
case("an attribute twice", FaultCode.MALFORMED, replaced(b' Version="2.0"', b' Version="2.0" Version="2.0"'))
case("HTML", FaultCode.NOT_EXPECTED_MESSAGE, lambda: b"<html><body>Sign in</body></html>")
