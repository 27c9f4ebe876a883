"""From folders of video to shards: found, cut at scene changes, tracked, filtered, cropped, packed and reported on."""
