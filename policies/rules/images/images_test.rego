package rules.images_test

import data.rules.images
import data.testing

digest := concat("", ["sha256:", concat("", ["0" | some _ in numbers.range(1, 64)])])

production(image) := object.union(testing.production, {"images": [image]})

test_deny_floating_tags_in_production if {
	every image in [
		"shop:latest", "shop:LATEST", "shop", "team/shop", "registry.example:5000/shop", "registry.example:5000/team/shop:latest",
		"shop:", "", "shop@sha256:123",
	] {
		count(images.deny) == 1 with input as production(image)
	}
}

test_allow_pinned_images_in_production if {
	every image in [
		"shop:1.4.0",
		"registry.example:5000/team/shop:v2",
		concat("@", ["shop", digest]),
		concat("@", ["registry.example:5000/shop:latest", digest]),
	] {
		images.deny == set() with input as production(image)
	}
}

test_warn_only_in_staging if {
	floating := object.union(testing.staging, {"images": ["shop:latest"]})
	images.deny == set() with input as floating
	count(images.warn) == 1 with input as floating
}

test_deny_each_floating_image if {
	count(images.deny) == 2 with input as object.union(testing.production, {"images": ["a:latest", "b:1", "c"]})
}

test_warn_when_there_is_no_image if {
	count(images.warn) == 1 with input as object.union(testing.production, {"images": []})
}
