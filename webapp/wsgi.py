"""What gunicorn serves: `webapp.wsgi:app`."""

from netfax.log import set_up_log
from netfax.settings import settings
from webapp.factory import create_app
from webapp.log import SERVICE

set_up_log(SERVICE)
app = create_app(settings())
