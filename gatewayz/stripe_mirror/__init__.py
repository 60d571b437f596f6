"""The history of dj-stripe's tables, in place of its own.

Its own alters fifty tables many times over and takes a minute and a half. After an upgrade of dj-stripe,
``manage.py makemigrations djstripe`` adds here what is new.
"""
