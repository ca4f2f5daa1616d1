"""Documents for the tests of configuration files."""

from __future__ import annotations

from lockstep.configuration.files.file import ConfigDocument, read_documents

CONTOSO = """\
# contoso.yaml - everything needed to run Documo provisioning
apiVersion: lockstep/v1
kind: Tenant
metadata: { name: contoso }
spec:
  notifications:
    email: [idm-team@contoso.com]
    on: [failure, quarantine, deleteThreshold, recovered]
---
apiVersion: lockstep/v1
kind: Source
metadata: { name: hr-directory }
spec:
  type: ldap                      # csv | ldap | graph | sql | scim | demo
  displayName: Microsoft Entra    # appears in "Synchronize Microsoft Entra users to Documo"
  connection:
    url: ldaps://dc1.contoso.com:636
    baseDn: OU=Staff,DC=contoso,DC=com
    bindDn: CN=lockstep,OU=Service,DC=contoso,DC=com
    passwordRef: file:/run/secrets/ldap_password
  delta: { mode: watermark, attribute: whenChanged }
  attributes:                     # source name -> canonical (Entra) name
    userPrincipalName: userPrincipalName
    sn: surname
---
apiVersion: lockstep/v1
kind: Application
metadata: { name: documo, labels: { tier: production } }
spec:
  template: documo                # gallery template, pins defaults
  credentials:
    authentication: bearer
    tenantUrl: https://api.documo.com/scim/v2
    secretTokenRef: env:DOCUMO_SCIM_TOKEN
  roles:
    - { value: admin, displayName: Admin }
    - { value: member, displayName: Member, default: true }
  assignments:
    - { group: documo-admins, role: admin }
    - { user: kim.berg@contoso.com, role: member }
  provisioning:
    mode: automatic
    status: "on"
    scope: assigned               # assigned | all
    schedule: { interval: PT40M, jitter: PT2M }
    limits: { requestsPerSecond: 10, concurrency: 4, maxRetries: 8 }
    deletions:
      threshold: 500              # per cycle, hour and day
      thresholdPercent: 20
      onOutOfScope: disable
      onSourceDeleted: disable    # then delete after P30D
      deleteAfter: P30D
    notificationEmail: idm-team@contoso.com
    emailOnFailure: true
    notificationDelivery: digest  # immediate | digest
    mappings:
      - name: Synchronize Microsoft Entra users to Documo
        source: User
        target: urn:ietf:params:scim:schemas:core:2.0:User
        enabled: true
        actions: [create, update, delete]
        scopingFilters:           # filters are OR-ed, clauses AND-ed
          - title: Sales only
            all:
              - { attribute: department, operator: EQUALS, value: Sales }
              - { attribute: userPrincipalName, operator: REGEX MATCH, value: '.*@contoso\\.com' }
        attributes:
          - { target: userName, source: userPrincipalName, match: 1 }
          - { target: active, expression: 'Switch([IsSoftDeleted], , "False", "True", "True", "False")' }
          - { target: name.givenName, source: givenName }
          - { target: name.familyName, source: surname, default: Unknown, apply: always }   # always | createOnly
          - { target: 'roles[primary eq "True"].value', expression: 'SingleAppRoleAssignment([appRoleAssignments])' }
          # constants: { target: X, constant: Y }
      - name: Provision Microsoft Entra groups
        source: Group
        target: urn:ietf:params:scim:schemas:core:2.0:Group
        enabled: false
"""

APPLICATION = """\
apiVersion: lockstep/v1
kind: Application
metadata: {name: documo}
spec:
  template: documo
"""


def one(text: str, file: str = "a.yaml") -> ConfigDocument:
    (document,) = read_documents(text, file)
    return document


def application(**sections: object) -> ConfigDocument:
    """An application with *sections* in their JSON shape."""
    import orjson

    return one(APPLICATION + "".join(f"  {key}: {orjson.dumps(value).decode()}\n" for key, value in sections.items()))
