from django.urls import path

from voices import views

urlpatterns = [path("clips/<str:digest>.wav", views.clip_wav, name="clip-wav")]
