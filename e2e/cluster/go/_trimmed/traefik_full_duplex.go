package server

import (
	"net/http"

	"github.com/rs/zerolog/log"
)

// withFullDuplex lets a response begin while the request's body is still being read.
//
// Without it net/http closes that body when a response begins. Where the last read, which finds
// nothing more, comes after that, the transport takes the whole request for failed and closes its
// connection to the engine in the middle of the response (golang/go#40747, traefik/traefik#11767).
func withFullDuplex(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 {
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				log.Error().Err(err).Msg("No full duplex: streams may be cut off")
			}
			// A body that was not read to its end would break the next request (golang/go#68560).
			defer r.Body.Close()
		}
		next.ServeHTTP(w, r)
	})
}
