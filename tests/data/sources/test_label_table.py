"""Tables that say what the pictures of a folder are."""

import pytest

from reptile_tf.data.sources.folder_listing import scan


@pytest.fixture
def folder(tmp_path):
    """Pictures at two depths, two of which have the same name."""
    for name in (
        *("1.png", "2.JPG", "deep/3.gif", "deep/x.png", "deeper/x.png"),
        *("7.png", "7.jpg", ".hidden.png", "a b, c.png", "deep/4.tiff"),
    ):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "pictures"


def labels(folder, text, columns=None, encoding="utf-8"):
    """Returns picture -> label."""
    table = folder.parent / "labels.csv"
    table.write_bytes(text.encode(encoding))
    listing = scan(folder, csv=table, csv_columns=columns)
    assert list(listing.splits) == ["all"]
    classes = listing.splits["all"]
    assert list(classes) == sorted(classes)
    assert all(paths == sorted(paths) for paths in classes.values())
    return {
        path.relative_to(folder).as_posix(): name
        for name, paths in classes.items()
        for path in paths
    }


def refused(folder, text, columns=None, encoding="utf-8"):
    with pytest.raises(ValueError) as caught:
        labels(folder, text, columns, encoding)
    return str(caught.value).replace(str(folder.parent), "~")


PLAIN = "filename,label\n1.png,dog\n2.JPG,cat\ndeep/3.gif,dog\n"
EXPECTED = {"1.png": "dog", "2.JPG": "cat", "deep/3.gif": "dog"}


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "; "),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", "\n\n"),
        "\n , \n" + PLAIN + ",\n  \n",
        PLAIN.removesuffix("\n"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("dog", '"dog"').replace("1.png", '"1.png"'),
        "\ufeff" + PLAIN,
        PLAIN.replace("png,dog", 'png, "dog"'),
        "id,label,filename\n0,dog,1.png\n1,cat,2.JPG\n2,dog,deep/3.gif,more\n",
        # Commas in a table with tabs, and the other way round.
        "x,y\tfilename\tlabel\n0,1\t1.png\tdog\n\t2.JPG\tcat\n\tdeep/3.gif\tdog",
        PLAIN.replace("label\n", "label,x\ty\n"),
        # Without the suffix, or the folder, and twice.
        PLAIN + "1,dog\n2,cat\n3.gif,dog\n3,dog\n./1.png,dog\ndeep//3,dog\n",
    ],
)
def test_tables(folder, text):
    assert labels(folder, text) == EXPECTED


def test_labels_and_names_of_any_kind(folder):
    (folder / "deep/Caf\u00e9 \U0001f408.png").touch()
    text = (
        'filename,label\n"a b, c.png","a ""b"", c"\n'
        "deep/Cafe\u0301 \U0001f408.png,猫\n1.png,007\n"
    )
    assert labels(folder, text) == {
        "a b, c.png": 'a "b", c',
        "deep/Caf\u00e9 \U0001f408.png": "猫",
        "1.png": "007",
    }


def test_columns_of_other_names(folder):
    text = PLAIN.replace("filename,label", "CATEGORY,FILE NAME,label").replace(
        "\n1.png,dog\n2.JPG,cat\ndeep/3.gif,dog", "\nx,1.png,dog\ny,2.JPG,cat"
    )
    for columns in ("FILE NAME,CATEGORY", " FILE NAME , CATEGORY "):
        assert labels(folder, text, columns) == {"1.png": "x", "2.JPG": "y"}
    assert labels(folder, text, "FILE NAME,label") == {
        "1.png": "dog",
        "2.JPG": "cat",
    }


def test_pictures_that_a_table_does_not_list_are_counted(folder):
    (folder / "labels.csv").write_text(PLAIN)
    listing = scan(folder, csv=str(folder / "labels.csv"))
    assert (listing.ignored, listing.unused) == (2, 5)


def test_files_that_are_named_whole(folder):
    # With another suffix, hidden, or elsewhere: the user asks for them.
    (folder.parent / "other.png").touch()
    text = (
        "filename,label\ndeep/4.tiff,a\n.hidden.png,a\n"
        f"../other.png,a\n{folder / '1.png'},b\n"
    )
    (folder.parent / "labels.csv").write_text(text)
    listing = scan(folder, csv=folder.parent / "labels.csv")
    classes = listing.splits["all"]
    assert {name: len(paths) for name, paths in classes.items()} == {
        "a": 3,
        "b": 1,
    }


def test_missing_pictures_are_refused(folder):
    rows = "".join(f"{i}.gif,a\n" for i in range(10, 17))
    message = refused(folder, PLAIN + rows)
    assert message.startswith(
        "csv=~/labels.csv names 7 pictures that are not in ~/pictures: 10.gif, "
        "11.gif, 12.gif, 13.gif, 14.gif and 2 more"
    )


def test_pictures_with_two_labels_are_refused(folder):
    message = refused(folder, PLAIN + "1,cat\n1.png,dog\n2.JPG,mouse\n")
    assert "gives 2 pictures two labels: 1 is dog and cat" in message
    assert "2.JPG is cat and mouse" in message


def test_names_that_may_be_several_pictures_are_refused(folder):
    message = refused(folder, PLAIN + "x.png,a\n")
    assert "x.png may be any of deep/x.png, deeper/x.png" in message
    message = refused(folder, PLAIN + "x,a\n")
    assert "x may be any of deep/x.png, deeper/x.png" in message
    message = refused(folder, PLAIN + "7,a\n")
    assert "7 may be any of 7.jpg, 7.png" in message
    found = labels(folder, PLAIN + "7.png,a\n7.jpg,b\ndeep/x,c\n")
    assert found == EXPECTED | {"7.png": "a", "7.jpg": "b", "deep/x.png": "c"}


def test_missing_columns_are_refused(folder):
    message = refused(folder, "file,species,Label\n1.png,dog,x\n")
    assert message.startswith(
        "csv=~/labels.csv must have the columns filename and label in its "
        "first row; it has file, species, Label. If"
    )
    assert "csv_columns" in message
    message = refused(folder, "file\tspecies\n1.png\tdog\n")
    assert "it has file, species." in message
    message = refused(folder, PLAIN, "filename,species")
    assert "columns filename and species in" in message
    assert "it has none." in refused(folder, "")
    assert "it has none." in refused(folder, "\n \n")


def test_what_is_no_table_is_refused(folder):
    assert "has no rows" in refused(folder, "filename,label\n\n")
    message = refused(folder, PLAIN + "7.png\n")
    assert "labels.csv, line 5: there must be a filename and a label" in message
    message = refused(folder, PLAIN + "\n,dog\n")
    assert "labels.csv, line 6: there must be a filename" in message
    message = refused(folder, PLAIN + '"7.png,dog\n1.png,cat\n')
    assert "labels.csv, line 6: unexpected end of data" in message
    message = refused(folder, PLAIN, encoding="utf-16")
    assert "labels.csv must be text in UTF-8" in message
    with pytest.raises(ValueError, match="nowhere.csv cannot be read: No such"):
        scan(folder, csv=folder / "nowhere.csv")
    with pytest.raises(ValueError, match="csv=.* cannot be read: Is a dir"):
        scan(folder, csv=folder)


def test_what_are_no_two_columns_is_refused(folder):
    for columns in ("FILE", "A,B,C", "A,", ",", "A,A", ""):
        message = refused(folder, PLAIN, columns)
        assert "two names with a comma between" in message
        assert f"received {columns!r}" in message
    with pytest.raises(ValueError, match="csv_columns=A,B has no use without"):
        scan(folder, csv_columns="A,B")
