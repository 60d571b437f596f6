"""Who uses the gateway: users, the organisations that own keys and credit, and who belongs to which."""

import zoneinfo
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from typing_extensions import override

from apps.common.db import Timestamped

FIRST_PLAN = "dev"
PERCENT = (MinValueValidator(1), MaxValueValidator(100))
check_domain = RegexValidator(
    r"\A[a-z0-9-]+(\.[a-z0-9-]+)+\Z", "Write the domain in small letters, as in example.com."
)


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class UserManager(BaseUserManager["User"]):
    """Users are known by their e-mail address. Each comes with a personal organisation, also from ``createsuperuser``."""

    @transaction.atomic
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        Organization.objects.create_personal(user)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    email_verified_at = models.DateTimeField(
        "e-mail verified at",
        null=True,
        blank=True,
        help_text="When the user proved to read this mailbox; empty: never. A trial needs it.",
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]

    @override
    def __str__(self) -> str:
        return self.email


class Plan(Timestamped):
    """What the organisations of a plan may do."""

    slug = models.SlugField(primary_key=True)
    name = models.CharField(max_length=40)
    requests_per_minute = models.PositiveIntegerField(
        help_text="Of a key without a limit of its own."
    )
    tokens_per_minute = models.PositiveBigIntegerField(help_text="The same.")
    concurrency = models.PositiveIntegerField(help_text="The same: requests at a time.")
    admission_percent = models.PositiveSmallIntegerField(
        validators=PERCENT,
        help_text="How full a web process may be when it still lets a request of this plan in.",
    )
    velocity_percent = models.PositiveSmallIntegerField(
        validators=PERCENT,
        help_text="What is left of the limits while providers fail in masses.",
    )
    price_cents = models.PositiveIntegerField(
        "price in cents",
        null=True,
        blank=True,
        help_text="A month, in US cents; empty: by agreement.",
    )
    allowance = models.BigIntegerField(
        "monthly allowance",
        default=0,
        db_default=0,
        validators=[MinValueValidator(0)],
        help_text="Nano-USD of credit that comes with each month and is spent first.",
    )
    description = models.CharField(max_length=200, blank=True, default="", db_default="")
    features = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="A list of lines, as customers read them.",
    )
    is_public = models.BooleanField(
        default=True, db_default=True, help_text="Shown to everybody; others are given by staff."
    )
    position = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Among the plans that are shown, the lowest first."
    )

    class Meta:
        ordering = ["admission_percent", "slug"]

    @override
    def __str__(self) -> str:
        return self.name


class OrganizationManager(models.Manager["Organization"]):
    @transaction.atomic
    def create_personal(self, user: User) -> "Organization":
        """The organisation that comes with a user. Its balance opens with it, empty (a trigger of the billing app)."""
        organization = self.create(name=user.email, is_personal=True)
        Membership.objects.create(user=user, organization=organization, role=Role.OWNER)
        return organization


def check_time_zone(value: str) -> None:
    """Raises ValidationError unless it is a name of the IANA database."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(f"'{value[:60]}' is no time zone, such as 'Europe/Berlin'.")


class Organization(Timestamped):
    """The owner of keys, credit and usage. Every user has a personal one."""

    name = models.CharField(max_length=120)
    is_personal = models.BooleanField(default=False)
    is_active = models.BooleanField(
        default=True, help_text="Keys of an inactive organisation are refused."
    )
    spending_frozen_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Set: nothing that costs is served. A payment was taken back whose credit had been spent.",
    )
    plan = models.ForeignKey(
        Plan,
        on_delete=models.PROTECT,
        null=True,
        default=FIRST_PLAN,
        related_name="organizations",
    )
    # Null, so that the table need not be made anew, which would cost SQLite its triggers.
    time_zone = models.CharField(  # noqa: DJ001
        max_length=60,
        null=True,
        blank=True,
        validators=[check_time_zone],
        help_text="In which its days, weeks and months begin: a name of the IANA database, such as Europe/Berlin. Empty: UTC.",
    )
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    objects: ClassVar[OrganizationManager] = OrganizationManager()

    class Meta:
        ordering = ["name"]

    @override
    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.time_zone or "UTC")


class Membership(Timestamped):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=12, choices=Role.choices, default=Role.DEVELOPER)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organization"], name="accounts_membership_once_per_organization"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.user} in {self.organization}: {self.role}"


class Notice(models.Model):
    """An e-mail to the people of an organisation (apps.accounts.notices)."""

    reference = models.CharField(
        max_length=160, unique=True, help_text="The same reference twice is one e-mail."
    )
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="notices", db_index=False
    )
    kind = models.CharField(max_length=40)
    facts = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(
        null=True, help_text="When it is tried next; empty when it was sent or given up."
    )
    sent_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True, help_text="Of the latest try.")

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(due_at__isnull=False), name="accounts_notice_due"
            ),
            models.Index(fields=["organization", "-created_at"], name="accounts_notice_by_org"),
        ]

    @override
    def __str__(self) -> str:
        return self.reference


class EmailDomainRule(Timestamped):
    """What staff say of a domain of e-mail addresses, and of those below it; wins over the list of disposable ones."""

    class Verdict(models.TextChoices):
        DENY = "deny", "Deny: no trial for its addresses"
        ALLOW = "allow", "Allow: as any other, whatever the list says"

    domain = models.CharField(
        max_length=253, primary_key=True, validators=[check_domain], help_text="example.com"
    )
    verdict = models.CharField(max_length=5, choices=Verdict.choices, default=Verdict.DENY)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["domain"]

    @override
    def __str__(self) -> str:
        return f"{self.verdict} {self.domain}"
