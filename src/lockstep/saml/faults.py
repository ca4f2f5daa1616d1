"""The faults of SAML messages: one code for each check, with the expected and the received value.

Both values are for administrators only: the person who signs in does not see them. They are shortened and contain only printable
characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockstep.errors import Kind, LockstepError

MAX_SHOWN = 200  # characters of an expected or received value


class FaultCode(StrEnum):
    """The check that failed. The values are stable, because logs and programs compare them."""

    # Size and document
    TOO_LARGE = "TooLarge"
    TOO_DEEP = "TooDeep"
    ENCODING_REFUSED = "EncodingRefused"
    DTD_REFUSED = "DtdRefused"
    INSTRUCTION_REFUSED = "InstructionRefused"
    INCLUDE_REFUSED = "IncludeRefused"
    COMMENT_IN_VALUE = "CommentInValue"
    MALFORMED = "Malformed"
    # Transport encoding
    BASE64_WRONG = "Base64Wrong"
    DEFLATE_WRONG = "DeflateWrong"
    PARAMETER_REPEATED = "ParameterRepeated"
    RELAY_STATE_REFUSED = "RelayStateRefused"
    # The structure of a message
    NOT_EXPECTED_MESSAGE = "NotExpectedMessage"
    DUPLICATE_ID = "DuplicateId"
    ASSERTION_MISSING = "AssertionMissing"
    ASSERTION_MISPLACED = "AssertionMisplaced"
    MANY_ASSERTIONS = "ManyAssertions"
    # Signatures and encryption
    NOT_SIGNED = "NotSigned"
    SIGNATURE_MISPLACED = "SignatureMisplaced"
    MANY_SIGNATURES = "ManySignatures"
    SIGNATURE_SHAPE_REFUSED = "SignatureShapeRefused"
    REFERENCE_REFUSED = "ReferenceRefused"
    TRANSFORM_REFUSED = "TransformRefused"
    CANONICALIZATION_REFUSED = "CanonicalizationRefused"
    ALGORITHM_REFUSED = "AlgorithmRefused"
    WRONG_CERTIFICATE = "WrongCertificate"
    SIGNATURE_WRONG = "SignatureWrong"
    DIGEST_WRONG = "DigestWrong"
    DECRYPTION_FAILED = "DecryptionFailed"
    # Content of the message
    STATUS_NOT_SUCCESS = "StatusNotSuccess"
    WRONG_ISSUER = "WrongIssuer"
    WRONG_AUDIENCE = "WrongAudience"
    WRONG_RECIPIENT = "WrongRecipient"
    WRONG_DESTINATION = "WrongDestination"
    WRONG_IN_RESPONSE_TO = "WrongInResponseTo"
    UNSOLICITED = "Unsolicited"
    EXPIRED = "Expired"
    NOT_YET_VALID = "NotYetValid"
    SESSION_ENDED = "SessionEnded"
    USED_BEFORE = "UsedBefore"
    CONDITION_UNKNOWN = "ConditionUnknown"
    CONFIRMATION_MISSING = "ConfirmationMissing"
    STATEMENT_MISSING = "StatementMissing"
    NAME_ID_REFUSED = "NameIdRefused"
    # Input of administrators
    CERTIFICATE_UNREADABLE = "CertificateUnreadable"
    KEY_REFUSED = "KeyRefused"
    METADATA_UNUSABLE = "MetadataUnusable"


DETAILS = {
    FaultCode.TOO_LARGE: "The message is too large",
    FaultCode.TOO_DEEP: "The message is nested too deeply",
    FaultCode.ENCODING_REFUSED: "The message is not in UTF-8, or begins with a byte order mark",
    FaultCode.DTD_REFUSED: "The message contains a document type declaration",
    FaultCode.INSTRUCTION_REFUSED: "The message contains a processing instruction",
    FaultCode.INCLUDE_REFUSED: "The message contains an XInclude element",
    FaultCode.COMMENT_IN_VALUE: "The message contains a comment inside a value",
    FaultCode.MALFORMED: "The message is not well-formed SAML",
    FaultCode.BASE64_WRONG: "The message is not valid Base64",
    FaultCode.DEFLATE_WRONG: "The message is not compressed with DEFLATE",
    FaultCode.PARAMETER_REPEATED: "A parameter of the message is repeated or missing",
    FaultCode.RELAY_STATE_REFUSED: "The relay state is not acceptable",
    FaultCode.NOT_EXPECTED_MESSAGE: "The message is not of the expected kind",
    FaultCode.DUPLICATE_ID: "Two elements of the message have the same ID",
    FaultCode.ASSERTION_MISSING: "The response contains no assertion",
    FaultCode.ASSERTION_MISPLACED: "An assertion is not a child of the response",
    FaultCode.MANY_ASSERTIONS: "The response contains more than one assertion",
    FaultCode.NOT_SIGNED: "Neither the response nor its assertion is signed",
    FaultCode.SIGNATURE_MISPLACED: "A signature is neither a child of the response nor of its assertion",
    FaultCode.MANY_SIGNATURES: "An element has more than one signature",
    FaultCode.SIGNATURE_SHAPE_REFUSED: "The signature has parts that are not accepted",
    FaultCode.REFERENCE_REFUSED: "The signature does not refer to the element that contains it",
    FaultCode.TRANSFORM_REFUSED: "The signature uses a transform that is not accepted",
    FaultCode.CANONICALIZATION_REFUSED: "The signature uses a canonicalization that is not accepted",
    FaultCode.ALGORITHM_REFUSED: "The message uses an algorithm that is not accepted",
    FaultCode.WRONG_CERTIFICATE: "The signature was made with a certificate that is not configured",
    FaultCode.SIGNATURE_WRONG: "The signature is not valid with any configured certificate",
    FaultCode.DIGEST_WRONG: "The signed element was changed after it was signed",
    FaultCode.DECRYPTION_FAILED: "The encrypted assertion cannot be used: it does not decrypt to an assertion with a valid signature",
    FaultCode.STATUS_NOT_SUCCESS: "The identity provider reports that the sign-in failed",
    FaultCode.WRONG_ISSUER: "The message comes from another issuer",
    FaultCode.WRONG_AUDIENCE: "The assertion is meant for another audience",
    FaultCode.WRONG_RECIPIENT: "The assertion is meant for another recipient",
    FaultCode.WRONG_DESTINATION: "The message is meant for another destination",
    FaultCode.WRONG_IN_RESPONSE_TO: "The message answers another request",
    FaultCode.UNSOLICITED: "The response answers no request, and sign-ins that start at the identity provider are not allowed",
    FaultCode.EXPIRED: "The assertion has expired",
    FaultCode.NOT_YET_VALID: "The message is not valid yet",
    FaultCode.SESSION_ENDED: "The session at the identity provider has ended",
    FaultCode.USED_BEFORE: "The message was already used",
    FaultCode.CONDITION_UNKNOWN: "The assertion has an unknown condition",
    FaultCode.CONFIRMATION_MISSING: "The assertion has no complete bearer confirmation",
    FaultCode.STATEMENT_MISSING: "The assertion does not state how the person signed in",
    FaultCode.NAME_ID_REFUSED: "The Name ID is missing or contains characters that are not accepted",
    FaultCode.CERTIFICATE_UNREADABLE: "No certificate can be read",
    FaultCode.KEY_REFUSED: "The certificate has a key that is not accepted",
    FaultCode.METADATA_UNUSABLE: "The metadata cannot be used",
}


@dataclass(eq=False)
class SamlFault(LockstepError):
    """Raised if a message, certificate or metadata document is refused. `code` is a FaultCode."""

    expected: str = ""
    received: str = ""


def fault(
    code: FaultCode, *, expected: str = "", received: str = "", next_step: str = "", most: int = MAX_SHOWN
) -> SamlFault:
    """Build the fault for *code*. *expected* and *received* may contain untrusted text, so they are made safe to show, and cut after *most*
    characters.
    """
    return SamlFault(
        Kind.INVALID,
        DETAILS[code],
        code=code,
        next_step=next_step,
        expected=_shown(expected, most),
        received=_shown(received, most),
    )


def _shown(value: str, most: int) -> str:
    cut = value if len(value) <= most else value[:most] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in cut)
