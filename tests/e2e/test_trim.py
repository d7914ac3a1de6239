from __future__ import annotations

from cluster import trim

SOURCE = """package static

import (
\t"github.com/traefik/traefik/v3/pkg/provider/docker"
\t"github.com/traefik/traefik/v3/pkg/provider/file"
\t"github.com/traefik/traefik/v3/pkg/provider/kv/redis"
)

type Providers struct {
\tDocker *docker.Provider      `label:"allowEmpty"`
\tFile   *file.Provider        `export:"true"`
\tRedis  *redis.Provider       `label:"allowEmpty"`
}

func f(c *Configuration) {
\tif c.Providers.Docker != nil {
\t\tif c.Providers.Docker.Timeout < 0 {
\t\t\tc.Providers.Docker.Timeout = 0
\t\t}
\t}

\tif c.Providers.File != nil {
\t\tg()
\t}
}
"""


def test_left_out_providers_go_with_their_imports_fields_and_blocks() -> None:
    after = trim.without_providers(SOURCE)
    assert "ocker" not in after
    assert "edis" not in after
    assert "\tif c.Providers.File != nil {\n\t\tg()\n\t}\n}\n" in after
    assert "File   *file.Provider" in after
