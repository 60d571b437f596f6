"""Keys for staff: issue, look at, limit, revoke. The secret is shown once, when the key is issued.

And customers' own keys at providers: look at, replace, switch off, forget. Their secrets are never shown.
"""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from apps.keys import provider_keys, services
from apps.keys.forms import ApiKeyForm, ProviderCredentialForm
from apps.keys.models import ApiKey, Environment, ProviderCredential, Recover


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]
    form = ApiKeyForm
    list_display = (
        "name", "organization", "environment", "ending", "state", "expires_at", "created_by", "created_at",
    )  # fmt: skip
    list_filter = (
        "environment",
        ("revoked_at", admin.EmptyFieldListFilter),
        "created_at",
        "expires_at",
    )
    search_fields = ("name", "last4", "tag__exact", "organization__name", "created_by__email")
    list_select_related = ("organization", "created_by")
    autocomplete_fields = ("organization",)
    readonly_fields = ("ending", "state", "created_by", "revoked_at", "created_at", "updated_at")
    fields = (
        "name", "organization", "environment", "expires_at", "requests_per_minute", "tokens_per_minute",
        "concurrency", "cache_ttl", "recover", "max_cost", "tag", "provider_policy", "ending", "state", "created_by", "revoked_at", "created_at", "updated_at",
    )  # fmt: skip
    actions = ("revoke_keys",)

    @admin.display(description="Key")
    def ending(self, key: ApiKey) -> str:
        return f"gw_{key.environment}_…{key.last4}" if key.pk else "made when saved, shown once"

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        return "revoked" if key.revoked_at else "active"

    def get_readonly_fields(
        self, request: HttpRequest, obj: ApiKey | None = None
    ) -> tuple[str, ...]:
        fixed = ("organization", "environment") if obj else ()
        return (*self.readonly_fields, *fixed)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: object, change: bool) -> None:
        if change:
            obj.save()
            return
        issued = services.issue(
            obj.organization_id,
            name=obj.name,
            environment=Environment(obj.environment),
            created_by_id=request.user.pk,
            expires_at=obj.expires_at,
            requests_per_minute=obj.requests_per_minute,
            tokens_per_minute=obj.tokens_per_minute,
            concurrency=obj.concurrency,
            cache_ttl=obj.cache_ttl,
            recover=Recover(obj.recover),
            max_cost=obj.max_cost,
            tag=obj.tag,
            provider_policy=obj.provider_policy,
        )
        obj.pk = issued.key.pk
        obj.last4 = issued.key.last4
        messages.warning(request, f"The key, shown only now: {issued.secret}")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Keys are revoked, not deleted: request records point at them."""
        return False

    @admin.action(description="Revoke the selected keys")
    def revoke_keys(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            services.revoke(key)
        self.message_user(
            request,
            f"{queryset.count()} key(s) revoked; every process refuses them within a second.",
        )


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ModelAdmin):  # type: ignore[misc]
    form = ProviderCredentialForm
    list_display = ("provider", "organization", "ending", "falls_back", "is_active", "updated_at")
    list_filter = ("is_active", "falls_back", "provider")
    search_fields = ("provider", "organization__name")
    list_select_related = ("organization",)
    readonly_fields = ("organization", "provider", "ending", "settings", "created_at", "updated_at")
    fields = (
        "organization", "provider", "ending", "key", "settings", "falls_back", "is_active", "created_at", "updated_at",
    )  # fmt: skip

    @admin.display(description="Ending")
    def ending(self, row: ProviderCredential) -> str:
        return f"…{row.last4}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Customers bring their keys themselves, where they are checked against their provider."""
        return False

    def save_model(
        self,
        request: HttpRequest,
        obj: ProviderCredential,
        form: ProviderCredentialForm,
        change: bool,
    ) -> None:
        provider_keys.store(obj.organization_id, provider=obj.provider, **form.changes())
