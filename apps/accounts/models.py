"""Who uses the gateway: users, the organisations that own keys and credit, and who belongs to which."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from typing_extensions import override

from apps.common.db import Timestamped

FIRST_PLAN = "dev"
PERCENT = (MinValueValidator(1), MaxValueValidator(100))


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
    members = models.ManyToManyField(User, through="Membership", related_name="organizations")

    objects: ClassVar[OrganizationManager] = OrganizationManager()

    class Meta:
        ordering = ["name"]

    @override
    def __str__(self) -> str:
        return self.name


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
