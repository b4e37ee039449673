"""Forms of names that several types of resources share."""

from lab.plugins.gcp.resource import Api, Pattern

CONTAINER = Api("container.v1", "container.googleapis.com", "Kubernetes Engine API")

CLUSTER_NAME = Pattern(
    "(?=.{1,40}$)[a-z]([a-z0-9-]*[a-z0-9])?",
    "up to 40 lower case letters, digits and '-', a letter first, no '-' last",
)
RESOURCE_NAME = Pattern(
    "[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "up to 63 lower case letters, digits and '-', a letter first, no '-' last",
)
PLACE = Pattern("[a-z]+-[a-z]+[0-9]+(-[a-z])?", "a region as us-central1, a zone as us-central1-a")
REGION = Pattern("[a-z]+-[a-z]+[0-9]+", "a region as us-central1")
PROJECT = Pattern(
    "([a-z0-9.]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", "a project ID: 6 to 30 of a-z, 0-9, -"
)
KEY = Pattern(
    "projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
    "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
)
EMAIL = Pattern("[^@/]+@[^@/]+", "the email of a service account")
CIDR = Pattern(r"(\d{1,3}\.){3}\d{1,3}/\d{1,2}", "a CIDR as 203.0.113.0/24")
CIDR_OR_SIZE = Pattern(
    r"((\d{1,3}\.){3}\d{1,3})?/\d{1,2}|", "a CIDR as 10.8.0.0/14, or a size as /14"
)
TIME = Pattern(r"([01]?\d|2[0-3]):[0-5]\d", "HH:MM in GMT")
MACHINE_TYPE = Pattern("[a-z0-9]+(-[a-z0-9]+)+", "a machine type as e2-standard-2")
ROLE = Pattern(
    "(roles|(projects|organizations)/[^/]+/roles)/[A-Za-z0-9_.]+",
    "roles/NAME, or projects/PROJECT/roles/NAME",
)
MEMBER = Pattern(
    "allUsers|allAuthenticatedUsers|(user|serviceAccount|group):[^@ ]+@[^@ ]+|domain:[^@ ]+"
    "|(projectOwner|projectEditor|projectViewer):.+|principal(Set)?://.+",
    "serviceAccount:EMAIL, user:EMAIL, group:EMAIL or another of IAM's principals",
)
