"""Keys: what names an object of Planhat's, as the waiting rules compare it."""


def user_keys(external_id: str | None, email: str | None) -> tuple[str, ...]:
    """Keys of an enduser: `ext:<externalId>`, `mail:<lower-cased e-mail>`; those that are known."""
    if external_id is None:
        return () if email is None else (f"mail:{email.lower()}",)
    if email is None:
        return (f"ext:{external_id}",)
    return f"ext:{external_id}", f"mail:{email.lower()}"


def company_keys(external_id: str | None) -> tuple[str, ...]:
    """Key of a company: `co:<externalId>`."""
    return () if external_id is None else (f"co:{external_id}",)
