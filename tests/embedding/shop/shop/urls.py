from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def shelf(request: HttpRequest) -> HttpResponse:
    return HttpResponse("The shop is open.")


urlpatterns = [
    path("", shelf),
    path("back-office/", admin.site.urls),
    path("sign-in/", LoginView.as_view(template_name="admin/login.html"), name="sign-in"),
]

urlpatterns += [path("assistant/", include("conversations.urls"))]
