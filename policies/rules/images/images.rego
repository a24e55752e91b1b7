# METADATA
# title: No floating image tags in production
# description: |
#   What was approved must be what runs. `latest` and a missing tag name whatever is newest at the time; a digest
#   fixes the content, a version tag is the release's own word.
# scope: package
package rules.images

import data.holdpoint.environments

deny contains message if {
	environments.production
	some image in input.images
	floating(image)
	message := sprintf("Image %s floats: production needs a version tag or, better, a digest.", [image])
}

warn contains message if {
	environments.relaxed
	some image in input.images
	floating(image)
	message := sprintf("Image %s floats: it would be denied in production.", [image])
}

warn contains "The manifests name no image, so nothing could be checked for floating tags." if {
	count(input.images) == 0
}

floating(image) if {
	not pinned(image)
	tag(image) == ""
}

floating(image) if {
	not pinned(image)
	lower(tag(image)) == "latest"
}

pinned(image) if regex.match(`@sha256:[0-9a-f]{64}$`, image)

# The tag stands behind the last colon of the last path segment: `registry:5000/app` has none.
tag(image) := value if {
	segments := split(split(image, "@")[0], "/")
	parts := split(segments[count(segments) - 1], ":")
	count(parts) == 2
	value := parts[1]
} else := ""
