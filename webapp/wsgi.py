"""What gunicorn serves: `webapp.wsgi:app`."""

from netfax.settings import settings
from webapp.factory import create_app

app = create_app(settings())
