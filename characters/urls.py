from django.urls import path

from characters import views

urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("characters/<slug:slug>/", views.character, name="character"),
    path("characters/<slug:slug>/talk/", views.talk, name="talk"),
]
